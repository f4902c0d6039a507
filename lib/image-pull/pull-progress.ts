/** What counts of a layer that is pulled. */
export interface PulledLayer {
  readonly diffId: string;
  readonly descriptor: { readonly sizeBytes: number };
}

/** How far a pull is. */
export interface PullProgress {
  readonly layers: number;
  readonly layersDone: number;
  /** Of the layers' blobs; those that need not be read count as done. */
  readonly bytes: number;
  readonly bytesDone: number;
  /** Of the layers that are done. */
  readonly entries: number;
}

/** Adds up the progress of a pull's layers. */
export class PullProgressSum {
  readonly #report: (progress: PullProgress) => void;
  readonly #bytesDone = new Map<PulledLayer, number>();
  readonly #bytes: number;
  readonly #layers: number;
  #layersDone = 0;
  #entries = 0;

  constructor(
    layers: readonly PulledLayer[],
    report: (progress: PullProgress) => void,
  ) {
    this.#report = report;
    this.#layers = layers.length;
    this.#bytes = layers.reduce((sum, l) => sum + l.descriptor.sizeBytes, 0);
  }

  /** So many bytes of the layer's blob are read. */
  at(layer: PulledLayer, bytesDone: number): void {
    this.#bytesDone.set(layer, bytesDone);
    let sum = 0;
    for (const bytes of this.#bytesDone.values()) sum += bytes;
    this.#report({
      layers: this.#layers,
      layersDone: this.#layersDone,
      bytes: this.#bytes,
      bytesDone: sum,
      entries: this.#entries,
    });
  }

  /** The layer is finished, and has so many entries. */
  done(layer: PulledLayer, entries: number): void {
    this.#layersDone++;
    this.#entries += entries;
    this.at(layer, layer.descriptor.sizeBytes);
  }
}
