// The last message of each thread: Swift has no variables of a thread.
#include "legato.h"
#include "legato_message.h"

#include <string.h>

static _Thread_local char last_message[1024];

void legato_keep_message(const char *message) {
  size_t length = strlen(message);
  if (length >= sizeof last_message) {
    length = sizeof last_message - 1;
    // Not in the middle of a character.
    while (length > 0 && ((unsigned char)message[length] & 0xc0) == 0x80) length--;
  }
  memcpy(last_message, message, length);
  last_message[length] = 0;
}

const char *legato_error_message(void) { return last_message; }

const char *legato_status_text(legato_status status) {
  switch (status) {
    case LEGATO_OK: return "no error";
    case LEGATO_ERROR_ARGUMENT: return "an argument is null or out of its range";
    case LEGATO_ERROR_PACKAGE: return "the package cannot be read, or does not fit";
    case LEGATO_ERROR_STOPPED: return "the stream was stopped";
    case LEGATO_ERROR_BUSY: return "another thread is pulling";
    case LEGATO_ERROR_BUFFER: return "the buffer is too small";
    case LEGATO_ERROR_STATE: return "the saved state is damaged, or belongs to another package";
    case LEGATO_ERROR_SYSTEM: return "the system refused something";
  }
  return "no status of Legato's";
}

int legato_version(void) { return LEGATO_VERSION; }
