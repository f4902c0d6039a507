import { Metadata } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { parseInstanceName } from "../../../lib/digest/index.js";
import { FairQueue } from "../../../lib/fair-queue/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { Job } from "../model/job.js";
import type { JobEvent } from "../model/job-event.js";
import type { Step, StepState } from "../model/step.js";
import { scriptStep } from "../testing/job-scenario.js";
import { RemoteEngine } from "./remote-engine.js";
import { StepTurn } from "./step-turn.js";

const cancelled = new StatusError(Code.Cancelled, "The job is being cancelled");
const stopped = new StatusError(Code.Unavailable, "The service ends");

const broken = { code: "UNAVAILABLE", text: "A worker was lost" };

/**
 * A turn that never comes as far as the engine: there is none. The one place
 * of the queue is taken until leavePlace().
 */
function setUp(state: StepState) {
  const step: Step = { specification: scriptStep("a", ""), attempts: 1, state };
  const job: Job = {
    id: "J",
    tenant: "t",
    labels: {},
    createdAt: 0,
    startedAt: 0,
    state: { kind: "running" },
    steps: [step],
    pastRuns: [],
    isHidden: false,
  };
  const events: JobEvent[] = [];
  const apply = async (event: JobEvent) => void events.push(event);
  const applyIfApt = async (event: JobEvent) => {
    events.push(event);
    return true;
  };
  const turnJob = { current: () => job, apply, applyIfApt, announce: () => {} };
  const queue = new FairQueue(1);
  let leavePlace = () => {};
  const left = new Promise<void>((resolve) => {
    leavePlace = resolve;
  });
  void queue.run("t", () => left, new AbortController().signal);
  const stop = new AbortController();
  using engine = new RemoteEngine({
    address: "127.0.0.1:1",
    instanceName: parseInstanceName(""),
  });
  const turn = new StepTurn(turnJob, step, {
    engine,
    images: { resolve: () => Promise.reject(stopped) },
    settings: { network: "none", user: "root", timeoutMs: 1, platform: [] },
    queue,
    prepareTimeoutMs: 1,
    retryDelayMs: 3_600_000,
    metadataOf: () => new Metadata(),
    observer: {
      attemptSent: () => {},
      attemptEnded: () => {},
      jobEnded: () => {},
    },
    sink: () => {},
    stop: stop.signal,
  });
  return { turn, queue, events, stop, leavePlace };
}

const ready: StepState = { kind: "ready", since: 1 };
const delayed: StepState = { kind: "ready", since: 1, after: broken };
const running: StepState = { kind: "running", since: 1 };

describe("StepTurn", () => {
  test.each([
    ["is delayed", delayed],
    ["queues", ready],
  ])(
    "ends with nothing written when cancelled while it %s",
    async (_, state) => {
      const { turn, queue, events } = setUp(state);
      const taken = turn.take();
      turn.cancel(cancelled);
      await taken;
      expect({ events, waiting: queue.length }).toEqual({
        events: [],
        waiting: 0,
      });
    },
  );

  test.each([
    ["is delayed", delayed],
    ["queues", ready],
    ["queues to go on", running],
  ])(
    "ends with the reason when the service stops while it %s",
    async (_, state) => {
      const { turn, queue, events, stop } = setUp(state);
      const taken = turn.take();
      stop.abort(stopped);
      await expect(taken).rejects.toBe(stopped);
      expect({ events, waiting: queue.length }).toEqual({
        events: [],
        waiting: 0,
      });
    },
  );

  test("of an attempt that was begun before queues on when cancelled", async () => {
    const { turn, queue, events, leavePlace } = setUp(running);
    const taken = turn.take();
    turn.cancel(cancelled);
    expect(queue.length).toBe(1);
    leavePlace();
    await taken;
    expect(events).toEqual([
      {
        kind: "attemptEnded",
        step: "a",
        outcome: {
          kind: "broken",
          reason: { code: "ABORTED", text: expect.any(String) },
          mayHaveRun: true,
        },
      },
    ]);
  });

  test("writes down that it begins once it has a place", async () => {
    const { turn, events, leavePlace } = setUp(ready);
    const taken = turn.take();
    expect(events).toEqual([]);
    leavePlace();
    await taken;
    expect(events.map(({ kind }) => kind)).toEqual([
      "attemptStarted",
      "attemptEnded",
    ]);
  });
});
