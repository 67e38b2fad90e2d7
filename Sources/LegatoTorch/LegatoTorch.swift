// LegatoTorch
