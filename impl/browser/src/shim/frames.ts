/**
 * Frames without an address of their own, `about:blank` and `srcdoc`, hold documents of the app that no
 * service worker has seen. Their cookies belong into the jar as well. A `srcdoc` that stands in the
 * page's own HTML is reached only once it has loaded.
 */

/** `shim`: the source of this script, for documents that run scripts while they are being read. */
export function installFrames(shim: string, prepare: (window: Window & typeof globalThis) => void): void {
  const prepared = new WeakSet<Window>();
  const reach = (frame: HTMLIFrameElement): void => {
    const inner = nativeWindow.call(frame) as (Window & typeof globalThis) | null;
    try {
      if (!inner || inner.location.protocol !== "about:" || prepared.has(inner)) return;
      prepared.add(inner);
      prepare(inner);
    } catch {
      // Of another origin.
    }
  };

  const { prototype } = HTMLIFrameElement;
  const nativeWindow = getterOf(prototype, "contentWindow");
  for (const name of ["contentWindow", "contentDocument"] as const) {
    const native = getterOf(prototype, name);
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: true,
      get(this: HTMLIFrameElement) {
        reach(this);
        return native.call(this);
      },
    });
  }
  document.addEventListener("load", (event) => event.target instanceof HTMLIFrameElement && reach(event.target), true);

  const opening = `<script>${shim}</script>`;
  const text = Object.getOwnPropertyDescriptor(prototype, "srcdoc");
  const { setAttribute } = Element.prototype;
  if (!text?.get || !text.set || shim === "") return;
  const { get, set } = text;
  // Trusted types stay what they are.
  const open = (value: unknown): unknown => (typeof value === "string" ? opening + value : value);
  Object.defineProperty(prototype, "srcdoc", {
    ...text,
    get(this: HTMLIFrameElement): string {
      const value = String(get.call(this));
      return value.startsWith(opening) ? value.slice(opening.length) : value;
    },
    set(this: HTMLIFrameElement, value: unknown) {
      set.call(this, open(value));
    },
  });
  prototype.setAttribute = function (this: HTMLIFrameElement, name: string, value: string): void {
    setAttribute.call(this, name, (String(name).toLowerCase() === "srcdoc" ? open(value) : value) as string);
  };
}

function getterOf(prototype: object, name: string): () => unknown {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  if (!getter) throw new TypeError(`no getter ${name}`);
  return getter;
}
