// SwiftPM wants a source file in a C target; the module is its header.
#include "legato_torch.h"
