import { describe, expect, it } from "vitest";
import { openSecretbox } from "./secretbox.ts";

/** The example of NaCl's own tests (secretbox.c). */
const key = Buffer.from("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389", "hex");
const nonce = Buffer.from("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37", "hex");
const message =
  "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31" +
  "0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864" +
  "5e0705";
const box = Buffer.from(
  "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c972" +
    "71d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b3" +
    "7973f622a43d14a6599b1f654cb45a74e355a5",
  "hex",
);

describe("openSecretbox", () => {
  it("opens what NaCl has sealed", () => {
    expect(openSecretbox(box, key, nonce)?.toString("hex")).toBe(message);
  });

  it.each([0, 15, 16, 80, box.length - 1])("refuses a box with another byte %d", (at) => {
    const changed = Buffer.from(box);
    changed[at]! ^= 1;
    expect(openSecretbox(changed, key, nonce)).toBeUndefined();
  });

  it.each([
    ["a short box", box.subarray(0, 15), key, nonce],
    ["half a key", box, key.subarray(0, 16), nonce],
    ["a short nonce", box, key, nonce.subarray(0, 12)],
    ["another key", box, Buffer.alloc(32), nonce],
  ])("refuses %s", (_, sealed, k, n) => {
    expect(openSecretbox(sealed, k, n)).toBeUndefined();
  });
});
