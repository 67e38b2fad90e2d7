// LegatoCodecs
