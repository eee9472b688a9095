/**
 * Content id to a number, for ids by the million: 24 bytes an entry in typed arrays that the garbage collector does not
 * look into. It keeps 16 bytes of each id, which are those of a hash: two that share them do not occur.
 */
export class IdCounts {
  #ids = new BigUint64Array(2 * 1024);
  #counts = new Float64Array(1024);
  #used = new Uint8Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: Uint8Array): number | undefined {
    const place = this.#placeOf(wordAt(id, 0), wordAt(id, 8));
    return this.#used[place] === 1 ? this.#counts[place] : undefined;
  }

  set(id: Uint8Array, count: number): void {
    if ((this.#size + 1) * 2 > this.#counts.length) this.#grow();
    if (this.#put(wordAt(id, 0), wordAt(id, 8), count)) this.#size++;
  }

  #put(low: bigint, high: bigint, count: number): boolean {
    const place = this.#placeOf(low, high);
    const isNew = this.#used[place] === 0;
    this.#ids[2 * place] = low;
    this.#ids[2 * place + 1] = high;
    this.#counts[place] = count;
    this.#used[place] = 1;
    return isNew;
  }

  #placeOf(low: bigint, high: bigint): number {
    const mask = this.#counts.length - 1;
    let place = Number(low & 0xffff_ffffn) & mask;
    while (this.#used[place] === 1 && !(this.#ids[2 * place] === low && this.#ids[2 * place + 1] === high))
      place = (place + 1) & mask;
    return place;
  }

  #grow(): void {
    const [ids, counts, used] = [this.#ids, this.#counts, this.#used];
    this.#ids = new BigUint64Array(ids.length * 2);
    this.#counts = new Float64Array(counts.length * 2);
    this.#used = new Uint8Array(used.length * 2);
    for (let place = 0; place < used.length; place++) {
      if (used[place] === 1) this.#put(ids[2 * place] ?? 0n, ids[2 * place + 1] ?? 0n, counts[place] ?? 0);
    }
  }
}

function wordAt(id: Uint8Array, at: number): bigint {
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  return view.getBigUint64(at, true);
}
