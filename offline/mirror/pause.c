/* The process that holds a pod's namespaces: it sleeps, reaps orphans, and ends when told to. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) {
  (void)signal;
  _exit(0);
}

static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, NULL, WNOHANG) > 0)
    ;
}

int main(void) {
  struct sigaction ended = {.sa_handler = end};
  struct sigaction reaped = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
  if (sigaction(SIGINT, &ended, NULL) || sigaction(SIGTERM, &ended, NULL) ||
      sigaction(SIGCHLD, &reaped, NULL))
    return EXIT_FAILURE;
  for (;;)
    pause();
}
