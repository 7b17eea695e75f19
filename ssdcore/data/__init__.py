"""From files on disk to training samples: sources, COCO files, MindRecord, augmentation."""
