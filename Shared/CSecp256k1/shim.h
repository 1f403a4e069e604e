#include <secp256k1.h>

/* The context without secrets. The library declares it as a variable, which Swift would take for mutable state. */
static inline const secp256k1_context *refrain_secp256k1_context(void) { return secp256k1_context_static; }
