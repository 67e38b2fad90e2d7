// Legato
