// One translation unit: libtorch's headers, not our code, are what takes the compiler its time.
#include "entry.cpp"
#include "fused.cpp"
#include "library.cpp"
#include "operations.cpp"
#include "signal.cpp"
#include "tensors.cpp"
#include "training.cpp"
