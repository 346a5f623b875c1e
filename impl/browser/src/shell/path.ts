/** The way that packets take between browser and agent. */

/** `relayed` has the protocol to the browser's own relay behind it, where it is that one. */
export type Path = "direct" | "relayed" | `relayed-${string}`;

/** The path in use; `undefined` where ICE has not chosen one. */
export async function pathOf(peer: RTCPeerConnection): Promise<Path | undefined> {
  const stats = (await peer.getStats()) as unknown as ReadonlyMap<string, Record<string, string>>;
  for (const { type, selectedCandidatePairId } of stats.values()) {
    if (type !== "transport" || selectedCandidatePairId === undefined) continue;
    const pair = stats.get(selectedCandidatePairId) ?? {};
    const [local, remote] = [stats.get(pair["localCandidateId"] ?? ""), stats.get(pair["remoteCandidateId"] ?? "")];
    if (local?.["candidateType"] === "relay") return `relayed-${local["relayProtocol"] ?? "udp"}`;
    return remote?.["candidateType"] === "relay" ? "relayed" : "direct";
  }
  return undefined;
}
