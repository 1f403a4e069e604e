#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <sys/eventfd.h>

/* A GNU extension that <pthread.h> hides from Swift's importer. */
extern int pthread_setname_np(pthread_t thread, const char *name);
