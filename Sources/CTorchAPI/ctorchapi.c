#include "legato_torch.h"
