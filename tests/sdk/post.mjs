// A post office on this machine: an SMS provider over HTTP and a mail server (RFC 5321), which keep what the server
// sends until a test asks for it.
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";

const DEADLINE_MS = 10_000;

export class PostOffice {
  /** Messages that nobody has asked for: `{to, text}`, oldest first. */
  #letters = [];
  /** Those who wait for one: `{to, take}`. */
  #waiting = [];
  #sockets = new Set();
  /** Every address and number that was written to. */
  addresses = new Set();

  async start() {
    this.http = createHttpServer((request, response) => this.#takeSms(request, response));
    this.smtp = createServer((socket) => this.#converse(socket));
    for (const server of [this.http, this.smtp]) {
      server.on("connection", (socket) => {
        this.#sockets.add(socket);
        socket.on("close", () => this.#sockets.delete(socket));
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    return this;
  }

  /** The settings of a pool that sends through here, as `hufu apply` reads them. */
  toml() {
    return `
  [user_pool.sms]
  provider = "http"
  url = "http://127.0.0.1:${this.http.address().port}/sms"
  body = { to = "{{phone}}", text = "{{text}}", code = "{{code}}" }
  [user_pool.email]
  provider = "smtp"
  host = "127.0.0.1"
  port = ${this.smtp.address().port}
  encryption = "none"
  from = "Hufu <hufu@id.example.com>"
`;
  }

  /** The code of the next message with a code to this number or address that no test has had. */
  async code(to) {
    for (;;) {
      const { text } = await this.letter(to);
      const code = /(?<!\d)\d{6}(?!\d)/.exec(text)?.[0];
      if (code) return code;
    }
  }

  /** The next message to this number or address that no test has had. */
  async letter(to) {
    const at = this.#letters.findIndex((letter) => letter.to === to);
    if (at >= 0) return this.#letters.splice(at, 1)[0];
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no message to ${to} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
    });
    const came = new Promise((take) => this.#waiting.push({ to, take }));
    return Promise.race([came, late]).finally(() => clearTimeout(timer));
  }

  /** Whether a message to this number or address lies here. */
  holds(to) {
    return this.#letters.some((letter) => letter.to === to);
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.http?.close();
    this.smtp?.close();
  }

  #deliver(letter) {
    this.addresses.add(letter.to);
    const at = this.#waiting.findIndex(({ to }) => to === letter.to);
    if (at < 0) this.#letters.push(letter);
    else this.#waiting.splice(at, 1)[0].take(letter);
  }

  async #takeSms(request, response) {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { to, text } = JSON.parse(body);
    this.#deliver({ to, text });
    response.setHeader("content-type", "application/json").end("{}");
  }

  #converse(socket) {
    let pending = "";
    let letter;
    const say = (line) => socket.write(`${line}\r\n`);
    const hear = (line) => {
      if (letter?.lines) {
        if (line !== ".") return letter.lines.push(line.startsWith("..") ? line.slice(1) : line);
        this.#deliver({ to: letter.to, text: plainText(letter.lines.join("\r\n")) });
        letter = undefined;
        return say("250 2.0.0 taken");
      }
      const command = line.split(/[ :]/)[0].toUpperCase();
      if (command === "EHLO") return say("250 post.test");
      if (command === "MAIL") return say("250 2.1.0 ok");
      if (command === "RCPT") {
        letter = { to: /<(.*)>/.exec(line)[1] };
        return say("250 2.1.5 ok");
      }
      if (command === "DATA") {
        letter.lines = [];
        return say("354 go on");
      }
      if (command === "QUIT") return socket.end("221 bye\r\n");
      return say("502 what?");
    };
    socket.setEncoding("utf8").on("error", () => {});
    socket.on("data", (chunk) => {
      pending += chunk;
      const lines = pending.split("\r\n");
      pending = lines.pop();
      lines.forEach(hear);
    });
    say("220 post.test ESMTP");
  }
}

/** The plain text of a message, which may be one of several parts and encoded (RFC 2045). */
function plainText(message) {
  const [head, body] = split(message);
  const boundary = /boundary="?([^";\r\n]+)"?/i.exec(head)?.[1];
  if (boundary) {
    const parts = body.split(`--${boundary}`).slice(1, -1);
    return plainText(parts.find((part) => /content-type: text\/plain/i.test(part)).replace(/^\r\n/, ""));
  }
  const encoding = /content-transfer-encoding: (\S+)/i.exec(head)?.[1].toLowerCase();
  if (encoding === "base64") return Buffer.from(body, "base64").toString();
  if (encoding === "quoted-printable") {
    const bytes = body.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, "latin1").toString();
  }
  return body;
}

function split(message) {
  const end = message.indexOf("\r\n\r\n");
  return [message.slice(0, end), message.slice(end + 4)];
}
