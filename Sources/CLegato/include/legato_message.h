// Between the two halves of the library; no part of its interface.
#pragma once

// Keeps a message for legato_error_message() on this thread; what is too long is cut.
void legato_keep_message(const char *message);
