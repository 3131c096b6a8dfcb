/** How long a gate's command may take to succeed, once the gate's services are healthy; on slow machines a multiple of it. A timeout within the command is shorter. */
export const gateLimitSeconds = 120;

/** The exit status of a gate's command that will not succeed by being repeated. */
export const finalStatus = 78;
