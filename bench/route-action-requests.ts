// The actions that the router is asked about: those of a C++ build.
import {
  Command,
  DigestFunction_Value,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { RouteActionRequest } from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../lib/cas/index.js";
import { Digest, parseInstanceName } from "../lib/digest/index.js";

const instanceName = parseInstanceName("");

/** Uploads Commands as a C++ build has them; gives a request for each. */
export async function uploadActions(
  address: string,
  options: { reference: string | undefined; from: number; count: number },
): Promise<Buffer[]> {
  const clients = createGrpcCasClients({ address });
  const cas = new GrpcContentAddressableStorage(clients);
  const requests: Buffer[] = [];
  for (let at = 0; at < options.count; at += 1_000) {
    const numbers = Array.from(
      { length: 1_000 },
      (_, n) => options.from + at + n,
    );
    requests.push(
      ...(await Promise.all(
        numbers.map(async (number) => {
          const data = Command.encode(commandOf(number)).finish();
          const digest = await cas.write(data, { instanceName });
          const request = requestOf(digest, number, options.reference);
          return Buffer.from(RouteActionRequest.encode(request).finish());
        }),
      )),
    );
  }
  clients.close();
  return requests;
}

function commandOf(number: number): Command {
  const source = `services/part${number % 100}/source${number}`;
  return Command.fromPartial({
    arguments: [
      "/usr/bin/gcc",
      ..."-U_FORTIFY_SOURCE -fstack-protector -Wall -g0 -O2 -DNDEBUG".split(
        " ",
      ),
      ...["-MD", "-MF", `bazel-out/bin/${source}.d`, "-iquote", "."],
      ...["-c", `${source}.cc`, "-o", `bazel-out/bin/${source}.o`],
    ],
    environmentVariables: [
      { name: "PATH", value: "/bin:/usr/bin:/usr/local/bin" },
      { name: "PWD", value: "/proc/self/cwd" },
    ],
    outputPaths: [`bazel-out/bin/${source}.d`, `bazel-out/bin/${source}.o`],
  });
}

function requestOf(
  command: Digest,
  number: number,
  reference: string | undefined,
): RouteActionRequest {
  const properties = [{ name: "OSFamily", value: "linux" }];
  if (reference !== undefined) {
    properties.push({ name: "container-image", value: reference });
  }
  return {
    instanceName,
    digestFunction: DigestFunction_Value.SHA256,
    action: {
      commandDigest: command.toProto(),
      inputRootDigest: Digest.of(Buffer.from(String(number))).toProto(),
      timeout: undefined,
      doNotCache: false,
      salt: Buffer.alloc(0),
      platform: { properties },
    },
    requestMetadata: RequestMetadata.fromPartial({
      toolInvocationId: "23d78eb1-8a6d-4c6c-9f48-e556564c6cf2",
      correlatedInvocationsId: "0424911d-32d8-41a0-b3be-c278fd8b759d",
      actionMnemonic: "CppCompile",
      targetId: `//services/part${number % 100}:target`,
    }),
  };
}
