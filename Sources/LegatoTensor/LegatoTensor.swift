// LegatoTensor
