// What it costs the router to lay one image over another, over the wire.
import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../lib/cas/index.js";
import { Digest } from "../lib/digest/index.js";
import { encodeDirectory, mergeTrees } from "../lib/merkle-tree/index.js";
import { benchInstanceName } from "./import-run.js";
import { median } from "./report.js";

const rounds = 15;
const context = { instanceName: benchInstanceName };

/** Folders of the large image in which the toolchain has files, and these. */
const sharedFolders = 50;
const filesPerFolder = 20;

/** Milliseconds that mergeTrees takes: an image, and a new one over it. */
export async function timeComposition(
  address: string,
  image: Digest,
): Promise<number> {
  const clients = createGrpcCasClients({ address });
  const cas = new GrpcContentAddressableStorage(clients);
  const times: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const toolchain = await storeToolchain(cas, round);
      const start = performance.now();
      await mergeTrees(cas, [image, toolchain], context);
      times.push(performance.now() - start);
    }
    return median(times);
  } finally {
    clients.close();
  }
}

/** A tree of 1,000 files in folders that the image of the cold root has. */
async function storeToolchain(
  cas: GrpcContentAddressableStorage,
  round: number,
): Promise<Digest> {
  const store = async (nodes: Parameters<typeof encodeDirectory>[0]) =>
    (await cas.write(encodeDirectory(nodes).data, context)).toProto();
  const packages = Array.from({ length: sharedFolders }, async (_, folder) => ({
    name: `package-${folder}`,
    digest: await store({ files: filesOf(`${round} ${folder}`) }),
  }));
  let digest = await store({ directories: await Promise.all(packages) });
  for (const name of ["layer0", "lib", "usr"]) {
    digest = await store({ directories: [{ name, digest }] });
  }
  return Digest.fromProto(digest, "root of the toolchain");
}

function filesOf(content: string) {
  return Array.from({ length: filesPerFolder }, (_, file) => ({
    name: `tool-${file}`,
    digest: Digest.of(Buffer.from(`${content} ${file}`)).toProto(),
    isExecutable: true,
    nodeProperties: undefined,
  }));
}
