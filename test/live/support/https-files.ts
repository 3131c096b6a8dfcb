// Serves a folder's documents of JSON over https, until standard input ends. Arguments: ADDRESS PORT FOLDER, the folder with server.pem
// and server-key.pem.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join, normalize } from "node:path";

const [address, port, folder = ""] = process.argv.slice(2);
const read = (name: string) => readFileSync(join(folder, name));
const server = createServer(
  { cert: read("server.pem"), key: read("server-key.pem") },
  ({ url = "/" }, response) => {
    try {
      const document = read(normalize(new URL(url, "https://any").pathname));
      response.writeHead(200, { "Content-Type": "application/json" }).end(document);
    } catch {
      response.writeHead(404).end();
    }
  },
);
server.listen(Number(port), address);
process.stdin.on("end", () => process.exit()).resume();
