// LegatoNN
