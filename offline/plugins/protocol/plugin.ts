/** What every plugin process does: serve one gRPC service, announce its port, and end when the engine does. */
import grpc from "@grpc/grpc-js";

/** How every gRPC connection is made: messages may be as large as the engine allows. */
export const clientOptions = {
  "grpc.max_receive_message_length": 400 << 20,
  "grpc.max_send_message_length": 400 << 20,
};

/** Connections never leave this computer and are not encrypted. */
export const credentials = grpc.credentials.createInsecure();

/** The engine's address: the positional argument, after flags such as --tracing, -v=N and --logtostderr. */
export const engineAddress = process.argv
  .slice(2)
  .filter((argument) => /^[^-].*:\d+$/.test(argument))
  .at(-1);

/** Serves until the engine ends; `closing` is called just before this process does. */
export async function serve(
  service: grpc.ServiceDefinition,
  handlers: grpc.UntypedServiceImplementation,
  closing: () => void,
): Promise<void> {
  const server = new grpc.Server(clientOptions);
  server.addService(service, handlers);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const end = () => {
    closing();
    server.forceShutdown();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  // The engine holds the other end of standard input, so its end is the engine's end.
  process.stdin.on("end", end).on("error", end).resume();
  process.stdout.write(`${port}\n`);
}

/** A gRPC unary handler from a function; what it throws becomes the call's error. */
export function unary<Q, R>(answer: (request: Q) => R | Promise<R>) {
  return (
    call: { request: Q },
    callback: (error: Partial<grpc.StatusObject> | null, reply?: R) => void,
  ) => {
    Promise.resolve(call.request)
      .then(answer)
      .then(
        (reply) => callback(null, reply),
        (error: Error & { code?: unknown; metadata?: grpc.Metadata }) =>
          callback({
            code: typeof error.code === "number" ? error.code : grpc.status.UNKNOWN,
            details: error.message,
            ...(error.metadata && { metadata: error.metadata }),
          }),
      );
  };
}
