import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** What the generated code has for each message. */
interface MessageEncoder<Message> {
  encode(message: Message, writer?: BinaryWriter): BinaryWriter;
}

/** A writer that a large message made grow is not kept. */
const maximumKeptBytes = 2 ** 16;

let kept: BinaryWriter | undefined;

/**
 * A message's bytes. One writer serves all messages: a new one begins with a
 * small buffer, and copies what it has each time that is too small.
 */
export function encodeMessage<Message>(
  type: MessageEncoder<Message>,
  message: Message,
): Buffer {
  const writer = kept ?? new BinaryWriter();
  kept = undefined; // one that throws in the middle is not used again
  const bytes = type.encode(message, writer).finish();
  if (bytes.byteLength <= maximumKeptBytes) kept = writer;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
