#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

// OpenSSL's typed stacks are macros, which Swift does not see.
static inline int certificate_stack_count(const STACK_OF(X509) *stack) { return sk_X509_num(stack); }
static inline X509 *certificate_stack_at(const STACK_OF(X509) *stack, int index) {
    return sk_X509_value(stack, index);
}
static inline STACK_OF(X509) *certificate_stack_new(void) { return sk_X509_new_null(); }
static inline int certificate_stack_push(STACK_OF(X509) *stack, X509 *item) { return sk_X509_push(stack, item); }
// Frees the stack, not what is on it.
static inline void certificate_stack_free(STACK_OF(X509) *stack) { sk_X509_free(stack); }
// Frees the stack and gives back one reference of each certificate on it.
static inline void certificate_stack_release(STACK_OF(X509) *stack) { sk_X509_pop_free(stack, X509_free); }
