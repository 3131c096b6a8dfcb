/** How long the command of a gate may take to succeed, once its services are healthy. What a gate's command waits for itself must end before. */
export const gateLimitSeconds = 120;
