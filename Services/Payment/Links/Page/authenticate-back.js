// Runs where an issuer sends the browser back to: tells the page around this frame to look, or leads to it.

// Nothing is shown meanwhile, and nothing is tried again from inside a frame.
document.getElementById("work").replaceChildren();
const { code } = JSON.parse(document.getElementById("authentication").textContent);
if (window.parent !== window) window.parent.postMessage({ authentication: code }, window.location.origin);
else window.location.replace(`/pay/authentication/${code}`);
