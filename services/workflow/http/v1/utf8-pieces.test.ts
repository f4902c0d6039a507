import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { utf8Pieces } from "./utf8-pieces.js";

async function* chunksOf(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function piecesOf(bytes: Uint8Array, sizes: number[], maximum = 8) {
  const pieces = [];
  for await (const piece of utf8Pieces(chunksOf(bytes, sizes), maximum)) {
    pieces.push(piece);
  }
  return pieces;
}

test("utf8Pieces() waits for the rest of a character", async () => {
  const bytes = Buffer.from("a€😀b");
  expect(await piecesOf(bytes, [1, 1, 1, 2, 1, 1])).toEqual([
    { text: "a", bytes: 1 },
    { text: "€", bytes: 3 },
    { text: "😀b", bytes: 5 },
  ]);
});

test("utf8Pieces() keeps a byte order mark, and NUL", async () => {
  const bytes = Buffer.from("\ufeffa\0");
  expect(await piecesOf(bytes, [])).toEqual([{ text: "\ufeffa\0", bytes: 5 }]);
});

test("utf8Pieces() cuts where the text is cut, whatever it is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "binary" }),
      fc.array(fc.nat(9)),
      async (text, sizes) => {
        const bytes = Buffer.from(text);
        const pieces = await piecesOf(bytes, sizes);
        expect(pieces.map((piece) => piece.text).join("")).toBe(
          bytes.toString(),
        );
        for (const piece of pieces) {
          expect(Buffer.byteLength(piece.text)).toBe(piece.bytes);
        }
      },
    ),
  );
});

test("utf8Pieces() counts every byte of what is no UTF-8", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.nat(9)),
      async (bytes, sizes) => {
        const pieces = await piecesOf(bytes, sizes);
        const sum = pieces.reduce((total, piece) => total + piece.bytes, 0);
        expect(sum).toBe(bytes.length);
        expect(pieces.every((piece) => piece.bytes <= 8)).toBe(true);
      },
    ),
  );
});
