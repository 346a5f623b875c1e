/** Bodies of requests, as a service worker gets them. */

/** A body up to this size is read first, so that its length can be told to apps that need one. */
const MAX_MEASURED = 65_536;
/** A body that comes slower than this is sent as it comes. */
const MEASURE_MS = 20;

export interface RequestBody {
  /** Bytes in all, where they are known. */
  length: number | undefined;
  chunks: AsyncIterable<Uint8Array>;
  /** Nobody wants the rest of it. */
  cancel(): void;
}

/** `undefined` for a request without a body. */
export async function requestBody(request: Request): Promise<RequestBody | undefined> {
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  if ("body" in request) return request.body ? measure(request.body) : undefined;
  // Firefox gives a service worker no stream, and `arrayBuffer` would hold all of it in memory.
  const blob = await (request as Request).blob();
  return blob.size === 0 ? undefined : bodyOf(blob.size, blob.stream().getReader(), []);
}

async function measure(body: ReadableStream<Uint8Array>): Promise<RequestBody> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let pending: ReturnType<typeof reader.read> | undefined;
  const late = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), MEASURE_MS));
  while (length <= MAX_MEASURED) {
    pending = reader.read();
    const result = await Promise.race([pending, late]);
    if (result === "late") break;
    pending = undefined;
    if (result.done) return bodyOf(length, undefined, chunks);
    chunks.push(result.value);
    length += result.value.byteLength;
  }
  return bodyOf(undefined, reader, chunks, pending);
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

function bodyOf(length: number | undefined, reader: Reader | undefined, first: Uint8Array[], pending?: ReturnType<Reader["read"]>): RequestBody {
  return { length, chunks: read(reader, first, pending), cancel: () => void reader?.cancel().catch(() => undefined) };
}

async function* read(
  reader: Reader | undefined, first: Uint8Array[], pending?: ReturnType<Reader["read"]>,
): AsyncGenerator<Uint8Array> {
  yield* first;
  for (let next = pending ?? reader?.read(); next; next = reader?.read()) {
    const result = await next;
    if (result.done) return;
    yield result.value;
  }
}
