/** Serves the files of a folder over HTTP: `file-server.ts FOLDER ADDRESS PORT`. */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { join, normalize } from "node:path";

const [folder, address, port] = process.argv.slice(2);

createServer(({ url = "/" }, response) => {
  const file = join(folder!, normalize(decodeURIComponent(url)));
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-length": found.size });
  createReadStream(file).pipe(response);
}).listen(Number(port), address);
