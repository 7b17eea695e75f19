"""Several processes of one stage: started by MindSpore's msrun, watched, shown and ended."""
