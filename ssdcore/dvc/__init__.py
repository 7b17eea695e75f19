"""The only user of DVC: dvc.lock, revisions and experiments."""
