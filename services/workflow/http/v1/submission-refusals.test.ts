import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { HttpScenario } from "../../testing/http-scenario.js";

let api: HttpScenario;
beforeEach(async () => {
  api = await HttpScenario.scripted();
});
afterEach(() => api.server.stop(0));

const one = { steps: [{ image: "debian" }] };

test.each([
  [
    415,
    "{}",
    "text/plain",
    "Content-Type must be application/json or application/yaml",
  ],
  [415, "{}", "nonsense", "Unsupported Media Type"],
  [400, "", "application/json", "The request's body must be JSON"],
  [400, "{", "application/json", "The request's body must be JSON"],
  [400, "[1,]", "application/json", "The request's body must be JSON"],
  [
    400,
    "a: [",
    "application/yaml",
    "The request's body must be YAML: BAD_INDENT",
  ],
  [
    400,
    "[".repeat(100_000),
    "application/json",
    "The request's body must be JSON",
  ],
  [400, "null", "application/json", "The request: must be an object"],
  [
    400,
    '{"__proto__":1}',
    "application/json",
    'No field can have the name "__proto__"',
  ],
  [
    413,
    `"${"x".repeat(2 ** 20)}"`,
    "application/json",
    "The request's body is too large",
  ],
])(
  "POST /v1/jobs answers %i to a body such as %.20j of %s",
  async (status, body, type, message) => {
    const answer = await api.send("POST", "/v1/jobs", {
      body,
      headers: { "content-type": type },
    });
    expect([answer.status, answer.json.error.message]).toEqual([
      status,
      message,
    ]);
  },
);

test("POST /v1/jobs refuses aliases that grow without bound", async () => {
  const lines = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (let at = 1; at < 9; at++) {
    const name = "abcdefghij".charAt(at);
    const before = "abcdefghij".charAt(at - 1);
    lines.push(`${name}: &${name} [${`*${before},`.repeat(9)}]`);
  }
  const { status, json } = await api.send("POST", "/v1/jobs", {
    body: lines.join("\n"),
    headers: { "content-type": "application/yaml" },
  });
  expect([status, json.error.message]).toEqual([
    400,
    "The request's body must be YAML: it is too deep, or its aliases are too many",
  ]);
});

const step = (fields: object) => ({ steps: [{ image: "a", ...fields }] });

test.each([
  [{}, 'The request: must have "steps"'],
  [{ steps: [] }, "steps: must not be empty"],
  [step({ image: 1 }), "steps.0.image: must be a text"],
  [{ steps: [{}] }, 'steps.0: must have "image"'],
  [{ ...one, cache: "yes" }, "cache: must be true or false"],
  [step({ environment: [] }), "steps.0.environment: must be an object"],
  [step({ timeout: true }), "steps.0.timeout: must be a number or a text"],
  [step({ stdin: { output: "x" } }), 'steps.0.stdin: must have "step"'],
  [step({ privileged: true }), "steps.0.privileged: there is no such field"],
  [step({ network: "bridge" }), 'steps.0.network: must be "host" or "none"'],
  [
    step({ name: "../x" }),
    "steps.0.name: must begin with a letter or digit and hold at most 63 of A-Z a-z 0-9 . _ -",
  ],
  [
    step({ stdin: "a/b/c" }),
    'steps.0.stdin: must be "step", "step/stderr" or "step/output"',
  ],
  [
    step({ stdin: { step: "a", path: "x" } }),
    "steps.0.stdin.path: there is no such field",
  ],
  [step({ command: 1 }), "steps.0.command: must be a list or a text"],
  [step({ command: ["a", 1] }), "steps.0.command.1: must be a text"],
  [
    step({ command: "a", entrypoint: ["b"] }),
    "steps.0.entrypoint: must be left out where the command is a text, which a shell runs",
  ],
  [
    step({ timeout: "1 day" }),
    'steps.0.timeout: must be such as "90s" or "15m"',
  ],
  [
    step({ timeout: "99999h" }),
    "steps.0.timeout: must be from 1ms to 366 days",
  ],
  [step({ timeout: "0s" }), "steps.0.timeout: must be from 1ms to 366 days"],
  [
    step({ secrets: { A: "../../etc/shadow" } }),
    "steps.0.secrets.A: must begin with a letter or digit and hold at most 255 of A-Z a-z 0-9 . _ -",
  ],
  [
    step({ secrets: { "A:B": "x" } }),
    "steps.0.secrets.A:B: the name of this field must be a name of a variable",
  ],
  [
    step({ environment: { "": "x" } }),
    'steps.0.environment: the name of this field must not be empty, nor hold "=" or NUL',
  ],
  [
    step({ environment: { A: "x".repeat(131_072) } }),
    "steps.0.environment.A: must have at most 131071 characters",
  ],
  [
    step({
      environment: Object.fromEntries(
        [1, 2, 3, 4, 5].map((n) => [`A${n}`, "x".repeat(120_000)]),
      ),
    }),
    "steps.0.environment: must have 524288 bytes at most, with the job's: has 600020",
  ],
  [
    {
      environment: { A: "x".repeat(100_000) },
      steps: Array.from({ length: 50 }, () => ({ image: "a" })),
    },
    "environment: must have 4194304 bytes at most, counted in every step: has 5000150",
  ],
  [
    step({ outputs: [{ name: "a", path: "b" }] }),
    'steps.0.outputs.0.path: must begin with "/"',
  ],
  [step({ needs: ["x"] }), 'Step "step-1" needs "x": no step has it'],
  [
    { labels: { "a:b": "c" }, ...one },
    "labels.a:b: the name of this field must hold from 1 to 63 of A-Z a-z 0-9 . _ / -",
  ],
])("POST /v1/jobs refuses %.60j", async (body, message) => {
  const { status, json } = await api.post("/v1/jobs", body);
  expect(json).toEqual({ error: { code: "INVALID_ARGUMENT", message } });
  expect(status).toBe(400);
});

test("POST /v1/jobs tells ten mistakes at most, and no value", async () => {
  const steps = Array.from({ length: 12 }, () => ({ image: ["hunter2"] }));
  const { json } = await api.post("/v1/jobs", { steps });
  expect(json.error.message).toMatch(/^steps\.0\.image: .*; and 2 more$/);
  expect(json.error.message).not.toContain("hunter2");
});

test("POST /v1/jobs refuses keys of YAML that are repeated", async () => {
  const { status, json } = await api.send("POST", "/v1/jobs", {
    body: "steps: [{ image: a, image: b }]",
    headers: { "content-type": "application/yaml" },
  });
  expect([status, json.error.message]).toEqual([
    400,
    "The request's body must be YAML: DUPLICATE_KEY",
  ]);
});

const kibibytes = 128 * 2 ** 10;

test.each([
  ["a list", `a: [${"1,".repeat(kibibytes / 2 - 3)}]`, 400],
  ["brackets", "[".repeat(kibibytes), 400],
  ["dashes", "- ".repeat(kibibytes / 2), 400],
  [
    "keys",
    Array.from({ length: 13_000 }, (_, at) => `k${at}: 1`).join("\n"),
    400,
  ],
  ["spaces", " ".repeat(kibibytes + 1), 413],
])(
  "POST /v1/jobs is done soon with 128 KiB of YAML %s",
  async (_, body, status) => {
    const start = performance.now();
    const answer = await api.send("POST", "/v1/jobs", {
      body,
      headers: { "content-type": "application/yaml" },
    });
    expect(answer.status).toBe(status);
    // Some tenths of a second, on a machine with nothing else to do.
    expect(performance.now() - start).toBeLessThan(5_000);
  },
);
