// Proves that Dray's document holds word for word against a real `berth up`:
// its examples as they stand there, with images of its names from a registry
// that stands for Docker Hub's.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Berth, startBerth } from "../fixtures/berth.js";
import { buildBusyboxImage } from "../fixtures/busybox-image.js";
import { type CallServer, startCallServer } from "../fixtures/call-server.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { eventually } from "../fixtures/eventually.js";
import { pushTestImage } from "../fixtures/test-image.js";

/** What the images of the document do, and those that tests need besides. */
const scripts: Readonly<Record<string, string>> = {
  "centurylink/randword":
    'for i in $(seq "$WORD_COUNT"); do cat /proc/sys/kernel/random/uuid; done',
  "centurylink/upper": "tr a-z A-Z",
  "centurylink/reverse": "rev",
  "centurylink/cluster-deploy:aws.fleet":
    'echo "$VM_SIZE in $REGION" >&2; for i in $(seq "$NODE_COUNT"); do echo "10.0.0.$i"; done',
  "centurylink/cluster-deploy:agent": 'sed "s/$/ $REMOTE_TARGET_NAME/"',
  "centurylink/remote-agent-install": 'sed "s/^/installed on /"',
  // A file that is there without being asked for would be written, too.
  "jdoe/foo":
    "echo by stdout; echo by stderr >&2; [ ! -f /output.txt ] || echo by file > /output.txt",
  "jdoe/bar": 'sed "s/^/bar read /"',
  "test/cat": "cat /customers.txt",
  "test/sort": "sort",
  "test/uniq": "uniq",
  "test/wc": "wc -l",
  "test/fail": "cat; echo broken >&2; exit 3",
  "test/environment": 'echo "$IMAGE $JOB $STEP"',
  "test/call": 'wget -q -O /dev/null "$URL/$CALL"',
  "test/gate":
    'echo one; echo two >&2; wget -q -O /dev/null "$URL/gate/$GATE"; echo three',
  "test/now": "date; cat /proc/sys/kernel/random/uuid",
};

let registry: ChildServer;
let server: CallServer;
let berth: Berth;

beforeAll(async () => {
  registry = await startDockerRegistry();
  server = await startCallServer();
  for (const [name, script] of Object.entries(scripts)) {
    await push(name, script);
  }
  berth = await startBerth("--mirror", `docker.io=${registry.host}`);
}, 60_000);

afterAll(async () => {
  await berth.stop();
  await server.stop();
  await registry.stop();
});

async function push(name: string, script: string): Promise<void> {
  const [repository = "", tag = "latest"] = name.split(":");
  const image = buildBusyboxImage({
    script,
    env: ["WORD_COUNT=1", "IMAGE=image", "JOB=image", "STEP=image"],
    files: { "customers.txt": "wharf\nquay\njetty\nwharf\nquay\nwharf\n" },
  });
  await pushTestImage(registry.host, repository, { image, tag });
}

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly json: unknown;
}

async function send(
  method: string,
  path: string,
  body?: string,
): Promise<Answer> {
  const response = await fetch(`${berth.jobsUrl}${path}`, {
    method,
    ...(body !== undefined && {
      body,
      headers: { "content-type": "application/json" },
    }),
  });
  const text = await response.text();
  const type = response.headers.get("content-type");
  return { status: response.status, type, json: text && JSON.parse(text) };
}

/** Sends a job as it stands there; gives its id. */
async function submit(body: string): Promise<string> {
  const { status, json } = await send("POST", "/jobs", body);
  expect({ status, json }).toMatchObject({ status: 201 });
  return (json as { id: string }).id;
}

/** Sends steps that a test needs; variables of the job by their names. */
function submitSteps(
  steps: readonly (string | Record<string, unknown>)[],
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  return submit(
    JSON.stringify({
      environment: environment({ URL: server.url, ...variables }),
      steps: steps.map((step) =>
        typeof step === "string" ? { source: step } : step,
      ),
    }),
  );
}

function environment(variables: Readonly<Record<string, string>>) {
  return Object.entries(variables).map(([variable, value]) => ({
    variable,
    value,
  }));
}

/** The job's status, once it runs no more. */
async function end(id: string): Promise<unknown> {
  let last: unknown;
  await eventually(async () => {
    last = (await send("GET", `/jobs/${id}`)).json;
    expect(last).not.toMatchObject({ status: "running" });
  }, 30_000);
  return last;
}

async function lines(id: string, query = ""): Promise<string[]> {
  const { json } = await send("GET", `/jobs/${id}/log${query}`);
  return (json as { lines: string[] }).lines;
}

/** Runs a job to its good end; gives its log. */
async function logOf(id: string, stepCount: number): Promise<string[]> {
  expect(await end(id)).toEqual({
    id,
    stepsCompleted: stepCount,
    status: "complete",
  });
  return lines(id);
}

const backwards = (text: string) => [...text].reverse().join("");

const wordJob = `{  
  "name":"Word Job",
  "steps":[  
    {  
      "source":"centurylink/randword"
    },
    {  
      "source":"centurylink/upper"
    },
    {  
      "source":"centurylink/reverse"
    }
  ]
}`;

test("the Word Job hands each step's output to the next", async () => {
  const [word = "", ...rest] = await logOf(await submit(wordJob), 3);
  expect(word).toMatch(/^[0-9a-f]{8}-/);
  const upper = word.toUpperCase();
  expect(rest).toEqual([upper, backwards(upper)]);
}, 60_000);

// With the comma and the tab that the document has.
const demoJob = `{  
  "name":"Demo Job",
  "steps":[  
    {  
      "name":"random-word",
      "source":"centurylink/randword",
      "environment":[  
        { "variable":"WORD_COUNT", "value":"10" }
      ]
    },
    {  
      "name":"uppercase",
      "source":"centurylink/upper"
    },
    {  
      "name":"reverse",
      "source":"centurylink/reverse"
    },	    
  ]
}`;

test("the Demo Job is echoed behind its id, and has its words", async () => {
  const { status, type, json } = await send("POST", "/jobs", demoJob);
  expect([status, type]).toEqual([201, "application/json; charset=utf-8"]);
  const { id } = json as { id: string };
  expect(json).toEqual({ id, ...JSON.parse(demoJob.replace("},\t", "}")) });
  expect(id).toMatch(/^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
  const log = await logOf(id, 3);
  expect(log).toHaveLength(30);
  const upper = log.slice(0, 10).map((word) => word.toUpperCase());
  expect(log.slice(10)).toEqual([...upper, ...upper.map(backwards)]);
});

const fleetJob = `{  
  "name":"aws=fleet",
  "environment":[  
    { "variable":"AWS_ACCESS_KEY_ID", "value":"xxxxxx" },
    { "variable":"AWS_SECRET_ACCESS_KEY", "value":"xxxxxxx" },
    { "variable":"REGION", "value":"us-west-2a" },
    { "variable":"NODE_COUNT", "value":"2" },
    { "variable":"VM_SIZE", "value":"t2.small" },
    { "variable":"REMOTE_TARGET_NAME", "value":"AWS - Fleet-CoreOS" }
  ],
  "steps":[  
    {  
      "name":"Step 1",
      "source":"centurylink/cluster-deploy:aws.fleet"
    },
    {  
      "name":"Step 2",
      "source":"centurylink/cluster-deploy:agent"
    },
    {  
      "name":"Step 3",
      "source":"centurylink/remote-agent-install:latest"
    }
  ]
}`;

test("a job's environment reaches all of its steps", async () => {
  const log = await logOf(await submit(fleetJob), 3);
  expect(log.filter((line) => line.startsWith("t2"))).toEqual([
    "t2.small in us-west-2a",
  ]);
  expect(log.slice(-2)).toEqual([
    "installed on 10.0.0.1 AWS - Fleet-CoreOS",
    "installed on 10.0.0.2 AWS - Fleet-CoreOS",
  ]);
});

test("a step's environment is over the job's, over the image's", async () => {
  const step = {
    source: "test/environment",
    environment: environment({ STEP: "step" }),
  };
  const id = await submitSteps([step], { JOB: "job", STEP: "job" });
  expect(await logOf(id, 1)).toEqual(["image job step"]);
});

test.each([
  ["nothing", "", "by stdout"],
  ["stdout", '"output":"stdout",', "by stdout"],
  ["stderr", '"output":"stderr",', "by stderr"],
  ["a file the image has not", '"output":"/output.txt",', "by file"],
])("with output %s the next step reads it", async (_, output, read) => {
  const id = await submit(`{  
  "steps":[  
    {  
      ${output}
      "source":"jdoe/foo"
    },
    {  
      "source":"jdoe/bar"
    }
  ]
}`);
  const log = await logOf(id, 2);
  expect(log.slice(0, 2).sort()).toEqual(["by stderr", "by stdout"]);
  expect(log.slice(2)).toEqual([`bar read ${read}`]);
});

test("an output file begins empty where the image has one", async () => {
  const step = { source: "test/cat", output: "/customers.txt" };
  const log = await logOf(await submitSteps([step, "test/wc"]), 2);
  expect(log.map((line) => line.trim())).toEqual(["0"]);
});

test("four steps are the pipeline of the document", async () => {
  const steps = ["test/cat", "test/sort", "test/uniq", "test/wc"];
  const log = await logOf(await submitSteps(steps), 4);
  expect(log.at(-1)?.trim()).toBe("3");
  expect(log).toHaveLength(6 + 6 + 3 + 1);
});

test("a step that fails is the last one", async () => {
  const call = { CALL: "behind-the-failure" };
  const steps = ["test/cat", "test/fail", "test/call"];
  const id = await submitSteps(steps, call);
  expect(await end(id)).toEqual({ id, stepsCompleted: 1, status: "error" });
  expect(await lines(id)).toContain("broken");
  expect(server.calls).not.toContain("/behind-the-failure");
});

test("a job whose image is nowhere ends with an error", async () => {
  // With its registry: the mirror would be asked first, then Docker Hub.
  const missing = `${registry.host}/test/missing`;
  const id = await submitSteps(["test/cat", missing]);
  expect(await end(id)).toEqual({ id, stepsCompleted: 0, status: "error" });
  expect(await lines(id)).toEqual([
    expect.stringMatching(/^berth: Step "step-2": .* does not have it/),
  ]);
});

test("a log is read from an index on while its job runs", async () => {
  const id = await submitSteps(["test/gate", "test/wc"], { GATE: "log" });
  const status = async () => (await send("GET", `/jobs/${id}`)).json;
  let first: string[] = [];
  await eventually(async () => {
    first = await lines(id);
    expect([...first].sort()).toEqual(["one", "two"]);
  }, 20_000);
  expect(await lines(id, "?index=1")).toEqual(first.slice(1));
  expect(await lines(id, "?index=2")).toEqual([]);
  expect(await status()).toEqual({ id, stepsCompleted: 0, status: "running" });
  server.open("log");
  const whole = await logOf(id, 2);
  expect(whole).toEqual([...first, "three", expect.stringMatching(/^\s*2$/)]);
  expect(await lines(id, "?index=2")).toEqual(whole.slice(2));
});

test("refresh looks a moved tag up again", async () => {
  const log = async (fields: Record<string, unknown>) => {
    const step = { source: "test/moved", ...fields };
    return logOf(await submitSteps([step]), 1);
  };
  await push("test/moved", "echo old");
  expect(await log({})).toEqual(["old"]);
  await push("test/moved", "echo new");
  expect(await log({ refresh: false })).toEqual(["old"]);
  expect(await log({ refresh: true })).toEqual(["new"]);
  expect(await log({})).toEqual(["new"]);
});

test("DELETE makes a job disappear, and it goes on", async () => {
  const variables = { GATE: "delete", CALL: "after-delete" };
  const id = await submitSteps(["test/gate", "test/call"], variables);
  await eventually(() => expect(server.calls).toContain("/gate/delete"), 20e3);
  expect(await send("DELETE", `/jobs/${id}`)).toMatchObject({
    status: 204,
    json: "",
  });
  for (const [method, path] of [
    ["GET", `/jobs/${id}`],
    ["GET", `/jobs/${id}/log`],
    ["DELETE", `/jobs/${id}`],
  ] as const) {
    expect(await send(method, path)).toMatchObject({ status: 404 });
  }
  expect((await send("GET", "/jobs")).json).not.toContainEqual({ id });
  expect(server.calls).not.toContain("/after-delete");
  server.open("delete");
  await eventually(() => expect(server.calls).toContain("/after-delete"), 20e3);
});

test("the same job is run each time, and all ids are listed", async () => {
  const variables = { CALL: "each-time" };
  const run = () => submitSteps(["test/now", "test/call"], variables);
  const ids = [await run(), await run()];
  const logs = await Promise.all(ids.map((id) => logOf(id, 2)));
  expect(logs.map((log) => log.length)).toEqual([2, 2]);
  expect(logs[0]?.[1]).not.toBe(logs[1]?.[1]);
  expect(server.calls.filter((path) => path === "/each-time")).toHaveLength(2);
  const { status, json } = await send("GET", "/jobs");
  expect(status).toBe(200);
  expect(json).toEqual(expect.arrayContaining(ids.map((id) => ({ id }))));
});
