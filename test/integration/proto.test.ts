// Proves that proto/ states the public protocols: every message, field, enum
// value and method of ours is the public one's in name, number and type. The
// other side comes from Go modules that nobody here wrote.
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBinary, isFieldSet } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { beforeAll, expect, test } from "@jest/globals";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/**
 * Public, but in no package of a registry: its numbers are held by the
 * scheduler's own messages in test/captures.
 */
const withoutPublicPackage = "buildbarn/";

let ours: Map<string, string>;
let theirs: Map<string, string>;

beforeAll(() => {
  ours = describe(
    execFileSync("npx", ["--no-install", "buf", "build", "proto", "-o", "-"], {
      cwd: root,
    }),
  );
  theirs = describe(
    execFileSync("go", ["run", "."], {
      cwd: join(root, "test/fixtures/descriptors"),
    }),
  );
}, 300_000);

/** Every definition as "what → how it is defined". */
function describe(data: Uint8Array): Map<string, string> {
  const set: FileDescriptorSet = fromBinary(FileDescriptorSetSchema, data);
  const facts = new Map<string, string>();
  for (const file of set.file) {
    if (file.name.startsWith(withoutPublicPackage)) continue;
    if (file.name.startsWith("google/protobuf/")) continue;
    const scope = `.${file.package}`;
    for (const message of file.messageType) addMessage(facts, scope, message);
    for (const value of file.enumType) addEnum(facts, scope, value);
    for (const service of file.service) {
      for (const method of service.method) {
        facts.set(
          `${scope}.${service.name}/${method.name}`,
          `${method.clientStreaming ? "stream " : ""}${method.inputType} returns ${method.serverStreaming ? "stream " : ""}${method.outputType}`,
        );
      }
    }
  }
  return facts;
}

function addMessage(
  facts: Map<string, string>,
  scope: string,
  message: DescriptorProto,
): void {
  const name = `${scope}.${message.name}`;
  facts.set(name, "message");
  for (const field of message.field) {
    // An index that is not set reads as 0.
    const oneof = isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex)
      ? ` in ${message.oneofDecl[field.oneofIndex]?.name}`
      : "";
    const label = FieldDescriptorProto_Label[field.label];
    const type = field.typeName || FieldDescriptorProto_Type[field.type];
    facts.set(
      `${name}.${field.name}`,
      `${field.number} ${label} ${type}${oneof}`,
    );
  }
  for (const nested of message.nestedType) addMessage(facts, name, nested);
  for (const nested of message.enumType) addEnum(facts, name, nested);
}

function addEnum(
  facts: Map<string, string>,
  scope: string,
  type: EnumDescriptorProto,
): void {
  for (const value of type.value) {
    facts.set(`${scope}.${type.name}.${value.name}`, String(value.number));
  }
}

test("every definition of ours is the public one's", () => {
  expect(ours.size).toBeGreaterThan(300);
  const differing = [...ours].flatMap(([name, fact]) =>
    theirs.get(name) === fact
      ? []
      : [`${name}: ours is ${fact}, the public one is ${theirs.get(name)}`],
  );
  expect(differing).toEqual([]);
});

test("no field of a message that we use is left out by mistake", () => {
  // Left out on purpose: parts of the API that no program of ours speaks.
  const leftOut =
    /split_blob|splice_blob|_cdc_|ChunkMapping|SplitBlob|SpliceBlob|ListOperations|DeleteOperation|WaitOperation|health\.v1\.HealthList|Health\/List|OperationInfo|Operations\/|google\.rpc\.|google\.api\./;
  const messages = new Set(
    [...ours].filter(([, fact]) => fact === "message").map(([name]) => name),
  );
  const missing = [...theirs.keys()].filter(
    (name) =>
      !ours.has(name) &&
      messages.has(name.slice(0, name.lastIndexOf("."))) &&
      !leftOut.test(name),
  );
  expect(missing).toEqual([]);
});
