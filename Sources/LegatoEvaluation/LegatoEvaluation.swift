// LegatoEvaluation
