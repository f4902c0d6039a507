import { request } from "node:http";
import type { Registry } from "prom-client";
import type { Logger } from "../../../lib/log/index.js";
import { silentLogger } from "../../../lib/log/index.js";
import { createMetrics } from "../../../lib/metrics/index.js";
import {
  createHttpServer,
  type RunningHttpServer,
} from "../http/create-http-server.js";
import { httpConfigurationSchema } from "../http/http-configuration.js";
import type { Workflow } from "../workflow.js";
import { type Answer, OpenApiOracle } from "./openapi-oracle.js";
import { ScriptedWorkflow } from "./scripted-workflow.js";

/** What a test sends beside method and path. */
export interface Sent {
  readonly body?: string | Uint8Array | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server with the workflow behind it, and a client that checks answers. */
export class HttpScenario<W extends Workflow = ScriptedWorkflow> {
  readonly workflow: W;
  readonly server: RunningHttpServer;
  readonly metrics: Registry;
  readonly #oracle: OpenApiOracle;

  private constructor(
    workflow: W,
    parts: {
      server: RunningHttpServer;
      metrics: Registry;
      oracle: OpenApiOracle;
    },
  ) {
    this.workflow = workflow;
    this.server = parts.server;
    this.metrics = parts.metrics;
    this.#oracle = parts.oracle;
  }

  /** `configuration` holds keys beside the address. */
  static async start<W extends Workflow>(
    workflow: W,
    options: {
      configuration?: Record<string, unknown>;
      log?: Logger;
      webRoot?: string;
    } = {},
  ): Promise<HttpScenario<W>> {
    const metrics = createMetrics();
    const server = await createHttpServer({
      workflow,
      metrics,
      log: options.log ?? silentLogger,
      webRoot: options.webRoot,
      configuration: httpConfigurationSchema.parse({
        listen: "127.0.0.1:0",
        ...options.configuration,
      }),
    });
    const oracle = await OpenApiOracle.fetch(server.address);
    return new HttpScenario(workflow, { server, metrics, oracle });
  }

  /** Of a server without tenants, on a scripted workflow. */
  static scripted(
    configuration: Record<string, unknown> = {},
  ): Promise<HttpScenario> {
    return HttpScenario.start(new ScriptedWorkflow(), { configuration });
  }

  /** Sends a request as it is written; checks the answer by the document. */
  async send(method: string, path: string, sent: Sent = {}): Promise<Answer> {
    const answer = await this.#exchange(method, path, sent);
    this.#oracle.check({ method, path, answer });
    return answer;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send("GET", path, { headers });
  }

  /** Sends JSON. */
  post(
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.send("POST", path, {
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  }

  #exchange(method: string, path: string, sent: Sent): Promise<Answer> {
    const colon = this.server.address.lastIndexOf(":");
    return new Promise((resolve, reject) => {
      // Not fetch(), which changes paths and refuses headers such as Host.
      const outgoing = request(
        {
          host: this.server.address.slice(0, colon),
          port: this.server.address.slice(colon + 1),
          method,
          path,
          headers: { ...sent.headers },
          agent: false,
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("error", reject);
          incoming.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            const { statusCode = 0, headers } = incoming;
            resolve({ status: statusCode, headers, text, json: json(text) });
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(sent.body);
    });
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
