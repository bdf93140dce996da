package site;

import java.time.Instant;
import java.util.Map;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizeRequest;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.annotation.RegisteredOAuth2AuthorizedClient;
import org.springframework.security.oauth2.core.OAuth2AccessToken;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.WebAttributes;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.view.RedirectView;

@RestController
class Pages {
    private final OAuth2AuthorizedClientManager clients;

    Pages(OAuth2AuthorizedClientManager clients) {
        this.clients = clients;
    }

    @GetMapping("/")
    ResponseEntity<?> home(@AuthenticationPrincipal OidcUser user) {
        if (user == null) {
            return answer(HttpStatus.UNAUTHORIZED, Map.of("error", "nobody is logged in"));
        }
        return answer(HttpStatus.OK, Map.of(
                "claims", user.getIdToken().getClaims(),
                "userinfo", user.getUserInfo().getClaims()));
    }

    /** By itself Spring gets new tokens when the old ones are at their end; here they are said to be. */
    @GetMapping("/refresh")
    RedirectView refresh(@RegisteredOAuth2AuthorizedClient("hufu") OAuth2AuthorizedClient hufu, Authentication user) {
        var token = hufu.getAccessToken();
        var old = new OAuth2AccessToken(token.getTokenType(), token.getTokenValue(), token.getIssuedAt(), Instant.now());
        clients.authorize(OAuth2AuthorizeRequest
                .withAuthorizedClient(new OAuth2AuthorizedClient(
                        hufu.getClientRegistration(), hufu.getPrincipalName(), old, hufu.getRefreshToken()))
                .principal(user)
                .build());
        return new RedirectView("/");
    }

    @RequestMapping("/refused")
    ResponseEntity<?> refused(@RequestAttribute(WebAttributes.AUTHENTICATION_EXCEPTION) AuthenticationException why) {
        return answer(HttpStatus.FORBIDDEN, Map.of("error", why.getMessage()));
    }

    private static ResponseEntity<?> answer(HttpStatus status, Map<String, ?> body) {
        return ResponseEntity.status(status).contentType(MediaType.APPLICATION_JSON).body(body);
    }
}
