import Crypto
import Foundation
package import ServiceKit

/// What keys are derived from: the file of `ENCRYPTION_KEY_PATH`.
package struct EncryptionKey: Sendable {
    private static let leastBytes = 32

    private let bytes: Data?

    /// Reads the file.
    /// - Parameter path: A sandbox may have none; `nil` and an empty text are none.
    /// - Throws: `ServiceConfiguration.Invalid` for a file that cannot be used, and for none in live mode: what is sealed
    ///   under a drawn key cannot be opened after a restart, nor by another instance, and each would tell a card by
    ///   another fingerprint.
    package init(path: String?, mode: RefrainMode) throws(ServiceConfiguration.Invalid) {
        guard let path, !path.isEmpty else {
            guard mode == .sandbox else {
                throw ServiceConfiguration.Invalid(faults: ["ENCRYPTION_KEY_PATH must be set in live mode"])
            }
            bytes = nil
            return
        }
        let found: Data? = try? Data(contentsOf: URL(fileURLWithPath: path))
        guard let found, found.count >= Self.leastBytes else {
            throw ServiceConfiguration.Invalid(
                faults: ["ENCRYPTION_KEY_PATH must name a readable file of at least \(Self.leastBytes) bytes"])
        }
        bytes = found
    }

    /// A key for one purpose; without a file, one that lasts as long as its holder.
    func derived(for purpose: String) -> SymmetricKey {
        guard let bytes else { return SymmetricKey(size: .bits256) }
        return HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: bytes), info: Data(purpose.utf8), outputByteCount: 32)
    }
}
