/** What the full-page explanations say: what happened, what it means, what to do. */

export interface Explanation {
  title: string;
  happened: string;
  means: string;
  todo: string;
  /** Something may be wrong that concerns the visitor's safety. */
  alarm?: boolean;
}

const REFUSED_TODO = "Nothing of the app was loaded. Ask the person who sent you the link; if they know of nothing, do not use this address from here.";
const OFFLINE_TODO = "Just wait: this page keeps trying and opens the app as soon as the machine is back. If you know its owner, ask whether it is running.";

const OFFLINE: Explanation = {
  title: "The machine behind this address is offline",
  happened: "The app at this address runs on somebody’s own machine, and that machine is not connected at the moment.",
  means: "It may be switched off, asleep or without a network.",
  todo: OFFLINE_TODO,
};

const FAULT: Explanation = {
  title: "The introduction to the machine failed",
  happened: "Your browser and the service that introduces it to the machine did not understand each other.",
  means: "One of them, or the machine’s own software, makes a mistake or is out of date. Your device is most likely fine.",
  todo: "Reload this page. If that does not help, tell the owner of the app; this page keeps trying.",
};

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  PINNED_KEY: {
    title: "This is not the machine you expect",
    happened: "The machine that answered has another key than the one that belongs to this address.",
    means: "Either the owner moved the app to a new machine or a new key, or somebody is pretending to be them.",
    todo: "Ask the owner, over a channel you trust, for the key of their machine, and compare it with the one below. If the new key is right, delete the stored data of this site in your browser and open the link again.",
    alarm: true,
  },
  PINNED_KEY_IN_LINK: {
    title: "The link does not fit this machine",
    happened: "The link names the key of another machine than the one that answered, or it is damaged.",
    means: "The link may have been cut off, or made for another machine; or somebody is pretending to be the machine that you expect.",
    todo: "Ask whoever gave you the link to send it again, over a channel you trust. Nothing of the app was loaded.",
    alarm: true,
  },
  SIGNATURE: {
    title: "The answer was not signed by its sender",
    happened: "The machine’s answer carries a signature that does not match its key.",
    means: "Somebody between you and the machine may have changed it, or the machine runs faulty software.",
    todo: REFUSED_TODO,
    alarm: true,
  },
  FINGERPRINT: {
    title: "The connection is not the one that was signed",
    happened: "The certificate of the connection is not the one that the machine’s signed answer names.",
    means: "Somebody may have tried to get between you and the machine.",
    todo: REFUSED_TODO,
    alarm: true,
  },
  NONCE: {
    title: "The answer was meant for another visit",
    happened: "The machine’s signed answer belongs to another visit than yours.",
    means: "Somebody may have replayed an old answer.",
    todo: REFUSED_TODO,
    alarm: true,
  },
  ALIAS: {
    title: "The answer came from another address",
    happened: "The machine’s signed answer names another address than the one you opened.",
    means: "The service that introduces you to the machine led you to the wrong one, by mistake or on purpose.",
    todo: REFUSED_TODO,
    alarm: true,
  },
  APP: {
    title: "The answer came from another app",
    happened: "The machine’s signed answer names another app than the one you opened.",
    means: "The service that introduces you to the machine led you to the wrong app, by mistake or on purpose.",
    todo: REFUSED_TODO,
    alarm: true,
  },
  STATEMENT: {
    title: "The answer cannot be read",
    happened: "The machine’s answer carries no readable signed statement.",
    means: "Nothing proves who answered, so the connection was not made.",
    todo: REFUSED_TODO,
    alarm: true,
  },
  EXPIRED: {
    title: "The answer is out of date",
    happened: "The machine’s signed answer is not valid at this time.",
    means: "The clock of your device or of the machine is wrong by more than a minute, or somebody replayed an old answer.",
    todo: "Check the clock of your device and reload this page. If it is right, the clock of the machine may be wrong: tell its owner.",
    alarm: true,
  },
  VERSION: {
    title: "The two ends speak different versions",
    happened: "The machine’s answer was refused: it uses a version of the protocol that this page does not know.",
    means: "One of the two is out of date. Without a version in common nothing proves who answered.",
    todo: "Reload this page. If that does not help, the owner of the machine has to update it.",
  },
  AGENT_OFFLINE: OFFLINE,
  SHUTTING_DOWN: OFFLINE,
  AGENT_TIMEOUT: {
    title: "The machine behind this address does not answer",
    happened: "The machine is known, but it did not answer in time.",
    means: "It may just have lost its network, or be very busy.",
    todo: OFFLINE_TODO,
  },
  NO_SUCH_ALIAS: {
    title: "There is no such address",
    happened: "No machine has ever registered under this name.",
    means: "The link may be mistyped or cut off, or the address was given up.",
    todo: "Compare the address with the link that you were given. This page looks again from time to time.",
  },
  NO_SUCH_APP: {
    title: "There is no such app on this machine",
    happened: "The machine is there, but it does not share an app of this name.",
    means: "The link may be mistyped, or its owner has stopped sharing the app.",
    todo: "Compare the address with the link that you were given, or ask the owner. This page looks again from time to time.",
  },
  REVOKED: {
    title: "This address was given up",
    happened: "Its owner has given it up for good.",
    means: "Nothing will answer here again.",
    todo: "Ask the owner for the new address.",
  },
  COORD_UNREACHABLE: {
    title: "The machines cannot be introduced",
    happened: "The service that introduces your browser to the machine does not answer.",
    means: "The machine itself may be fine; only new connections are affected.",
    todo: "Just wait: this page keeps trying.",
  },
  NETWORK: {
    title: "This site cannot be reached",
    happened: "Your browser gets no answer from the service behind this address.",
    means: "Your device may be offline, or the service is down.",
    todo: "Check your connection; this page keeps trying.",
  },
  INTERNAL: FAULT,
  MALFORMED: FAULT,
  BAD_OFFER: FAULT,
  LOST: {
    title: "The connection to the machine was lost",
    happened: "It was there, and broke off.",
    means: "The machine or your device may have lost its network for a moment.",
    todo: "Just wait: this page connects again by itself.",
  },
  LIMIT: {
    title: "Too many visitors at once",
    happened: "The machine or the service in front of it takes no more visitors at the moment.",
    means: "It protects itself against overload.",
    todo: "Just wait: this page tries again after a while.",
  },
  NO_PATH: {
    title: "No path to the machine",
    happened: "Both ends are there, but no connection between them came about.",
    means: "A firewall in between, often one of a company or a hotel, may block direct connections (UDP).",
    todo: "Try another network, for example that of a phone. This page keeps trying.",
  },
  NO_SERVICE_WORKER: {
    title: "This browser cannot open the app",
    happened: "Service workers are missing or switched off here.",
    means: "Some private windows and privacy settings switch them off; embedded browsers of other apps often lack them.",
    todo: "Open the link in an ordinary window of Chrome, Edge, Firefox or Safari.",
  },
  NO_WEBRTC: {
    title: "This browser cannot open the app",
    happened: "WebRTC is missing or switched off here.",
    means: "It is what connects your browser to the machine directly. Some privacy settings and extensions switch it off.",
    todo: "Allow WebRTC for this site, or open the link in another browser.",
  },
  NO_WORKER: {
    title: "This page is incomplete",
    happened: "A part of it could not be loaded.",
    means: "The network may have broken off in the middle, or something on your device blocks it.",
    todo: "Try again. If that does not help, switch off extensions that block scripts for this site.",
  },
  NO_ED25519: {
    title: "This browser is too old for this address",
    happened: "It cannot check the kind of signature by which the machine proves who it is.",
    means: "Without that check anybody could pretend to be the machine, so the connection was not made.",
    todo: "Update your browser, or open the link in another one.",
  },
  NOT_AN_ADDRESS: {
    title: "This is not the address of an app",
    happened: "The name in the address does not follow the form of app names.",
    means: "The link may be mistyped or cut off.",
    todo: "Compare the address with the link that you were given.",
  },
};

const UNKNOWN: Explanation = {
  title: "The connection could not be made",
  happened: "Something failed on the way to the machine.",
  means: "The code at the end of this page says more to people who look after it.",
  todo: "Just wait: this page keeps trying. Reload it if that takes long.",
};

export function explain(code: string): Explanation {
  return EXPLANATIONS[code] ?? UNKNOWN;
}
