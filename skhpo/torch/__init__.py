"""For nets of PyTorch: batches of tensors without a loader in between, and many nets trained as one."""
