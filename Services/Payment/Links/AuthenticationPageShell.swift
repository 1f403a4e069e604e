import HTTPKit
import JSON

/// What the pages on which a customer decides have in common: a template that a script fills out of the data it is given.
struct AuthenticationPageShell: Sendable {
    private let folder: String
    private let template: String

    /// - Throws: ``PageAssets/Missing`` when the template is not there.
    init(assets: PageAssets) throws {
        guard let template: String = assets.authentication else {
            throw PageAssets.Missing(description: "the pages on which customers decide have no template")
        }
        folder = "/pay/assets/\(assets.version)"
        self.template = template
    }

    /// What every script of a whole page is told.
    var members: [JSONMember] { [JSONMember(name: "assets", value: .string(folder))] }

    /// The page of a script.
    func reply(_ status: Int, _ script: String, _ data: JSONValue, _ headers: [HeaderField]) -> PageReply {
        let values: [String: String] = ["assets": folder, "script": script, "data": LinkPage.embedded(data)]
        return PageReply(
            status: status, contentType: "text/html; charset=utf-8",
            body: Array(LinkPage.filled(template, values).utf8), headers: headers)
    }
}
