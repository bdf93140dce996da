# The readable page of /admin/v1
api-title = Administration API
api-about = Everything that can be administered over HTTP. Requests and responses are JSON; the status code is the result. What the routes and members mean is said in English, as in the OpenAPI document.
api-document = OpenAPI document
api-key = Every request has the header:
api-groups = Groups of routes
api-schemas = Objects
api-parameters = Parameters
api-parameter = Name
api-place = Place
api-type = Type
api-meaning = Meaning
api-body = Body
api-responses = Responses
api-status = Status
api-nothing = empty
api-required = required
api-no-key = needs no key
