// LegatoModels
