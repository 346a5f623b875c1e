/** Names that no app may have. Registry: spec/registries/reserved-names.csv. */
export const RESERVED: ReadonlySet<string> = new Set(
  "www api admin auth login account accounts mail ftp ssh p2claw peer sys internal static status health default".split(" "),
);
