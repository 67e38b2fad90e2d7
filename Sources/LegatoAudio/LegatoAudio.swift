// LegatoAudio
