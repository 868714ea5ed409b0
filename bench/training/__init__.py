"""What the methods' training shares: configuration, images and patches, schedule, and mmengine's Runner around a task.

Nothing is imported here, so that reading a configuration stays free of torch.
"""
