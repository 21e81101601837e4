// What the script of the page uses of a browser: the project has no types of browsers.

export interface PageElement {
  textContent: string | null;
  checked: boolean;
  indeterminate: boolean;
  hidden: boolean;
  open: boolean;
  value: string;
  tabIndex: number;
  readonly dataset: Readonly<Record<string, string>>;
  readonly classList: {
    toggle(name: string, force?: boolean): boolean;
    add(name: string): void;
    remove(name: string): void;
    contains(name: string): boolean;
  };
  readonly children: Iterable<PageElement>;
  readonly offsetParent: unknown;
  readonly parentElement: PageElement | null;
  readonly validity: { readonly valid: boolean };
  addEventListener(name: string, listener: (event: PageEvent) => void): void;
  append(...nodes: (PageElement | string)[]): void;
  click(): void;
  closest(selector: string): PageElement | null;
  close(): void;
  focus(options?: { readonly preventScroll: boolean }): void;
  matches(selector: string): boolean;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  replaceChildren(...nodes: PageElement[]): void;
  scrollIntoView(options: { readonly block: "nearest" }): void;
  setAttribute(name: string, value: string): void;
  showModal(): void;
}

export interface PageEvent {
  readonly target: PageElement;
  readonly key: string;
  preventDefault(): void;
}

export interface PageDocument {
  createElement(name: string): PageElement;
  createRange(): { selectNodeContents(element: PageElement): void };
  getElementById(id: string): PageElement;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
}
