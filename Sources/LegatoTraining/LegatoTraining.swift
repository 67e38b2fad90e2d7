// LegatoTraining
