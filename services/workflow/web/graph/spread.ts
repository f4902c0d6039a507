/**
 * Puts things in a row, each as near as can be to where it wants to be (least
 * squares), in their order and at least `distance` apart. By pooling: things
 * that come too near become a block that lies at the mean of their wishes.
 */
export function spread(wanted: readonly number[], distance: number): number[] {
  const blocks: { mean: number; size: number }[] = [];
  wanted.forEach((place, index) => {
    let block = { mean: place - index * distance, size: 1 };
    for (
      let last = blocks.at(-1);
      last !== undefined && last.mean > block.mean;
      last = blocks.at(-1)
    ) {
      const size = last.size + block.size;
      const sum = last.mean * last.size + block.mean * block.size;
      block = { mean: sum / size, size };
      blocks.pop();
    }
    blocks.push(block);
  });
  return blocks
    .flatMap(({ mean, size }) => Array<number>(size).fill(mean))
    .map((mean, index) => mean + index * distance);
}
