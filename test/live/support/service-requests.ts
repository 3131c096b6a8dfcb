/** Sends requests to a URL until the end of standard input, and prints the results as JSON: `service-requests.ts <url>`. */
import { request } from "node:http";
import { argv, stdin } from "node:process";
import { Requests } from "./requests.ts";

const requests = new Requests(
  () =>
    new Promise((resolve, reject) => {
      const asked = request(argv[2]!, { agent: false, timeout: 5_000 }, (response) => {
        response.resume().on("error", reject);
        response.on("end", () =>
          response.statusCode === 200
            ? resolve()
            : reject(new Error(`status ${response.statusCode}`)),
        );
      });
      asked.on("timeout", () => asked.destroy(new Error("no answer within 5 s")));
      asked.on("error", reject);
      asked.end();
    }),
);
stdin.resume().on("end", async () => console.log(JSON.stringify(await requests.stop())));
